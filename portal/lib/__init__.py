"""Pure helpers without models. They may be imported by every app and import none of them."""
