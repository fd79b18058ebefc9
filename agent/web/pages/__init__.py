"""The pages for people: demo, sign-in, and the review page with all that belongs to it."""
