"""Django's settings. Each value that an operator may set comes through `portal.environment` and is told in
docs/configuration.md (a test keeps that true)."""

from __future__ import annotations

from pathlib import Path

import structlog

from portal import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", ".run")).resolve()

# --- What it is and where it answers ---
DEBUG = False
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PORTAL_URL = env.text("PORTAL_URL", "http://localhost:8000").rstrip("/")
STREAM_URL = env.text("STREAM_URL", "http://localhost:8001").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
USES_TLS = PORTAL_URL.startswith("https://")
IS_DEMO = env.flag("DEMO", False)

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "portal.common.apps.CommonConfig",
    "portal.common.api.apps.ApiConfig",
    "portal.tenants.apps.TenantsConfig",
    "portal.accounts.apps.AccountsConfig",
    "policies.apps.PoliciesConfig",
    "audit.apps.AuditConfig",
    "agents.apps.AgentsConfig",
    "portal.shell.apps.ShellConfig",
    "portal.demo.apps.DemoConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.common.browser.BrowserMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.accounts.middleware.SessionRulesMiddleware",
    "portal.tenants.middleware.ReachMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.shell.frame.frame",
            ],
        },
    }
]

# --- Database: the application's role cannot bypass row-level security; the owner's only migrates ---
DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"]["options"] = f"-c statement_timeout={env.number('STATEMENT_TIMEOUT_MS', 15000)}"
if env.text("DATABASE_OWNER_URL", ""):
    DATABASES["owner"] = env.database("DATABASE_OWNER_URL")
    DATABASES["owner"]["TEST"] = {"MIRROR": "default"}

# --- Valkey: broker, wake-ups, cache, limits. It may be lost at any moment without losing anything ---
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "portal.common.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}
REDIS_URL = REDIS_URL.replace("redis+socket://", "unix://")

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    # A request that cannot reach the broker gives up at once: the sweeper finds the row.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 25
CELERY_TASK_TIME_LIMIT = 30
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_ROUTES = {"agents.*": {"queue": "deploy"}, "audit.*": {"queue": "audit"}}
CELERY_BEAT_SCHEDULE = {
    "agents.sweep": {"task": "agents.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "audit.fold": {"task": "audit.fold", "schedule": 60.0, "options": {"expires": 60}},
    "audit.retention": {"task": "audit.retention", "schedule": 3600.0, "options": {"expires": 3600}},
    "policies.carry_baselines": {"task": "policies.carry_baselines", "schedule": 60.0, "options": {"expires": 60}},
    "policies.send_notices": {"task": "policies.send_notices", "schedule": 60.0, "options": {"expires": 60}},
    "policies.lint_stale": {"task": "policies.lint_stale", "schedule": 60.0, "options": {"expires": 60}},
    "accounts.tidy": {"task": "accounts.tidy", "schedule": 3600.0, "options": {"expires": 3600}},
}

# --- Sign-in (django-allauth): e-mail and password, TOTP, passkeys ---
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/sign-in/"
# Failed tries are what is limited; an office behind one address may sign in all at once in the morning.
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "login_failed": "10/m/ip,5/300s/key"}
MFA_ADAPTER = "portal.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "login_webauthn": "portal.accounts.passkey_forms.SignInForm",
    "authenticate_webauthn": "portal.accounts.passkey_forms.SecondStepForm",
    "reauthenticate_webauthn": "portal.accounts.passkey_forms.ProveAgainForm",
    "add_webauthn": "portal.accounts.passkey_forms.AddForm",
}
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not USES_TLS
MFA_REQUIRED_ROLES = env.words("MFA_REQUIRED_ROLES", "owner,technician,approver")
USERSESSIONS_TRACK_ACTIVITY = False  # SessionRulesMiddleware notes it, once a minute

# --- Browser's side: cookies, headers, content security policy ---
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-session" if USES_TLS else "portcullis-session"
SESSION_COOKIE_SECURE = USES_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_IDLE_SECONDS = env.number("SESSION_IDLE_MINUTES", 30) * 60
CSRF_COOKIE_NAME = "__Host-csrf" if USES_TLS else "portcullis-csrf"
CSRF_COOKIE_SECURE = USES_TLS
CSRF_COOKIE_HTTPONLY = True
CSRF_USE_SESSIONS = False
CSRF_FAILURE_VIEW = "portal.shell.failures.without_token"
SECURE_HSTS_SECONDS = 31_536_000 if USES_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = USES_TLS
SECURE_HSTS_PRELOAD = USES_TLS
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # redirecting to https is the TLS proxy's work (docs/operations.md)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}

# --- Files that are served ---
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 31_536_000

# --- REST ---
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.accounts.api.authentication.BearerAuthentication",
        "portal.accounts.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.common.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "portal.common.api.schema.PortalSchema",
    "EXCEPTION_HANDLER": "portal.common.api.problems.problem_for",
    "UNAUTHENTICATED_USER": None,
}
API_REACHING = "portal.tenants.scoping.reaching"
API_RATE_PER_MINUTE = env.number("API_RATE_PER_MINUTE", 600)
API_BURST = env.number("API_BURST", 200)
API_BODY_LIMIT_BYTES = 1_000_000
SPECTACULAR_SETTINGS = {
    "TITLE": "Portcullis REST API",
    "DESCRIPTION": "Everything a technician can click, a token can call. Names are fixed within v1.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ApplicationKind": "policies.models.Kind",
        "ExceptionKind": "policies.models.ExceptionKind",
        "DifferenceKind": ["new", "changed", "retired"],
        "CatalogueUpdateState": "policies.models.UpdateState",
        "DeploymentState": "agents.models.deployments.DeploymentState",
        "TargetState": "agents.models.deployments.TargetState",
    },
    "SERVERS": [{"url": "/"}],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "description": "An API token, made under Settings."},
            "session": {"type": "apiKey", "in": "cookie", "name": "portcullis-session"},
        }
    },
}

# --- Time, language, mail, log ---
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en-us"
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = env.text("EMAIL_FILE_PATH", str(DATA_DIR / "mail"))
EMAIL_TIMEOUT = 10
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", False)
SENDS_MAIL = EMAIL_BACKEND.split(".")[-2] not in ("console", "dummy", "filebased")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "portcullis@localhost")
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

# --- The main job ---
CATALOGUE_KEYS = env.words("CATALOGUE_KEYS")
AUDIT_RETENTION_DAYS = env.number("AUDIT_RETENTION_DAYS", 90)
CHECKIN_SECONDS = env.number("CHECKIN_SECONDS", 60)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "WARNING")},
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
