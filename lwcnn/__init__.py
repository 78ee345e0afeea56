"""The `lwcnn` command, the rows that its verbs append, and the reports made of them."""
