"""Write the table of who may what into the API's document: ``python -m tests.access``."""

import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings_test")
    django.setup()
    from tests.access.table import DOCUMENT, document_with_table

    DOCUMENT.write_text(document_with_table(), encoding="utf-8")
