"""What a person does from beginning to end, with the installed command and real git."""
