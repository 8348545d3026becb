"""Addresses of this app's screens: the entrance and one's own account, settings of people and tokens.

Names beginning with `account_` and `mfa_` are those that allauth looks for.
"""

from __future__ import annotations

from allauth.account import views as allauth_account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.urls import URLPattern, URLResolver, path, register_converter

from portal.accounts.views import entrance, people, profile, tokens

register_converter(entrance.SetUpDoor, "set_up_door")

_settings: list[URLPattern | URLResolver] = [
    path("settings/", people.person_list, name="settings"),
    path("settings/people/", people.person_list, name="person-list"),
    path("settings/people/invite/", people.person_invite, name="person-invite"),
    path("settings/people/<uuid:person>/", people.person_detail, name="person-detail"),
    path("settings/people/<uuid:person>/role/", people.person_role, name="person-role"),
    path("settings/people/<uuid:person>/lock/", people.person_lock, name="person-lock"),
    path("settings/people/<uuid:person>/unlock/", people.person_unlock, name="person-unlock"),
    path("settings/people/<uuid:person>/sign-out/", people.person_sign_out, name="person-sign-out"),
    path("settings/people/<uuid:person>/link/", people.person_link, name="person-link"),
    path("settings/people/<uuid:person>/factors/", people.person_factors_forget, name="person-factors-forget"),
    path("settings/tokens/", tokens.token_list, name="token-list"),
    path("settings/tokens/new/", tokens.token_create, name="token-create"),
    path("settings/tokens/<uuid:token>/revoke/", tokens.token_revoke, name="token-revoke"),
]
organization_urls: list[URLPattern | URLResolver] = _settings
all_urls: list[URLPattern | URLResolver] = _settings

_entrance: list[URLPattern | URLResolver] = [
    path("sign-in/", entrance.sign_in, name="account_login"),
    path("sign-in/passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("sign-in/second-factor/", factors.authenticate, name="mfa_authenticate"),
    path("sign-in/lost/", entrance.lost_factor, name="lost-factor"),
    path("sign-in/again/", allauth_account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/again/code/", factors.reauthenticate, name="mfa_reauthenticate"),
    path("sign-in/again/passkey/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("sign-out/", allauth_account.logout, name="account_logout"),
    path("<set_up_door:door>/", entrance.set_up, name="set-up"),
    path("invitation/", entrance.invitation, name="invitation"),
    path("invitation/<str:secret>/", entrance.invitation_open, name="invitation-open"),
]

_own: list[URLPattern | URLResolver] = [
    path("account/", profile.profile, name="profile"),
    path("account/password/", profile.password, name="account_change_password"),
    path("account/sessions/end/", profile.sessions_end, name="sessions-end"),
    path("account/sessions/<int:session>/end/", profile.session_end, name="session-end"),
    path("account/second-factor/", factors.index, name="mfa_index"),
    path("account/second-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/second-factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/second-factor/codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"
    ),
    path(
        "account/second-factor/codes/file/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"
    ),
    path("account/second-factor/passkeys/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("account/second-factor/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("account/second-factor/passkeys/<int:pk>/", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/second-factor/passkeys/<int:pk>/remove/", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
]

# Asked for by name inside allauth, but not offered: nobody signs up, mails are confirmed by invitation.
_not_offered: list[URLPattern | URLResolver] = [
    path("sign-in/none/signup/", entrance.not_here, name="account_signup"),
    path("sign-in/none/email/", entrance.not_here, name="account_email"),
    path("sign-in/none/reset/", entrance.not_here, name="account_reset_password"),
    path("sign-in/none/inactive/", entrance.not_here, name="account_inactive"),
    path("sign-in/none/set-password/", entrance.not_here, name="account_set_password"),
]

sign_in_urls: list[URLPattern | URLResolver] = [*_entrance, *_own, *_not_offered]
