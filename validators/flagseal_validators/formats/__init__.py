"""The forms in which the gate's report is written: for people, for programs, and for what forges and CI show."""
