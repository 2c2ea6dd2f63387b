"""From a posterior to a choice: plans and their payoffs, and which test to run next."""
