"""Plain networks of the papers: each file builds one, as printed, and knows nothing of data, training or loops."""
