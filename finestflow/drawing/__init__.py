"""Pictures of graphs: as text, as SVG, and in the notations of other programs. Called by the command line, notebooks and reports."""
