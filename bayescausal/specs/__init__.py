"""What is claimed: frozen values, checked when they are made. No PyMC here."""
