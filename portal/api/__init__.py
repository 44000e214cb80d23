"""The management API. Each of its resources spans apps (a device has a twin and an enrolment), so it stands on top of
them.
"""
