"""The builder, on real git and a real store, with a clock that tests move."""
