"""The table: its rows, dates and columns, and what each of them stands for."""
