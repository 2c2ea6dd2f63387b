"""What is claimed of the equations: frozen values, checked when they are made. No PyMC here."""
