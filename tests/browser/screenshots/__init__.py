"""The screenshots of the docs: of every page and state of the dashboard."""
