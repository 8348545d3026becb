"""The one command: starts, watches and stops every process of Portcullis on one machine.

Imports nothing of Django and nothing of the portal: it runs before the database exists.
"""
