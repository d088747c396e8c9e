"""The screens: each asks ``history`` for data, a view model for rows, and gives them to widgets."""
