"""Identification: which effects the graph identifies from data, and how, before any fit."""
