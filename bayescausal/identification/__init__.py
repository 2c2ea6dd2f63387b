"""Which effects the graph lets data tell, and how: verdicts before any fit."""
