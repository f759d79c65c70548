"""The web application for WSGI servers."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.wsgi import get_wsgi_application

from config import servers

servers.start_for_web()
application = get_wsgi_application()
