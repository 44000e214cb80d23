"""The hub: sessions of devices, whatever protocol they speak. A front door authenticates through it and implements
`Door`.
"""
