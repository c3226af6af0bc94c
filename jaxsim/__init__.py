"""jaxsim: stores where what is shown moves demand and what is in stock decides what it is worth."""
