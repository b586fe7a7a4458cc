"""The resources in Python: parsing what the API server returns and rendering what it is to store."""
