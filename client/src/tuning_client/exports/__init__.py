"""Trials in the forms of other tools, written by those tools themselves."""
