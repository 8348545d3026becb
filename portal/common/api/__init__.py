"""What every REST view is built of: the base view, strict bodies, problem answers, pages, keys, the schema.

It knows no tenant and no person: settings name the authenticators and the function that opens a reach.
"""
