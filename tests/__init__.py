"""The tests of finestflow; README.md says where a new one goes."""
