"""Class and tier of a change, and rules over facts that give a decision. Pure."""
