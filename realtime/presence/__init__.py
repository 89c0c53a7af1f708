"""Who is online, on whichever instance, and who is told so."""
