"""What is declared: documents, their canonical form, and every way in which they can be wrong."""
