"""Plots, tables, the report and the command line."""
