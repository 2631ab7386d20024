"""Feature flags under seal: the library that everything else, and an application, stands on."""
