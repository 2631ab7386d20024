"""The side that watches, accepts, builds and publishes."""
