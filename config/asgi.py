"""The web application for ASGI servers."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

from config import servers

servers.start_for_web()
application = get_asgi_application()
