"""What `make run` does: checks, a Redis server, the preparation of the database, and the portal's processes.

Nothing here needs Django to be set up; whatever does, runs in `manage.py prepare`.
"""
