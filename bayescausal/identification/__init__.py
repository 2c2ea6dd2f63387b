"""Identification says which effects a graph identifies from data, and how, before any fit."""
