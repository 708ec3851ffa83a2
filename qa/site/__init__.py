"""The site: pages made from the bank and its evidence, by pure functions; the MkDocs plugin is thin."""
