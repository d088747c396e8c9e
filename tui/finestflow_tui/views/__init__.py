"""View models: what each screen shows, as rows of text with roles. Nothing here imports Textual."""
