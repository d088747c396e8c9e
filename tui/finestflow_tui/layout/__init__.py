"""Drawing of graphs in cells of text, with the standard library alone."""
