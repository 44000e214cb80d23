"""The lane: ASGI middleware in front of Django for the one request that every waiting device repeats for ever.

It answers only "still pending", and holds polls that ask to be held; everything else goes on to the view, which stays
the truth. Both give the same answers; a test runs every case through both.
"""
