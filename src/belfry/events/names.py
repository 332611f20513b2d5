"""Event names: how they compare, which are the system's, what may not stand in them."""

from __future__ import annotations

FORBIDDEN = "%><!|&.:;$'\"\\"
"""Not allowed in event names and property keys; removed from both (engagement 2.3)."""
FORBIDDEN_PROFILE = FORBIDDEN + "#"

_DROP = str.maketrans("", "", FORBIDDEN)
_DROP_PROFILE = str.maketrans("", "", FORBIDDEN_PROFILE)
_SPACES = str.maketrans("", "", " \t\r\n\u00a0")


def fold(name: str) -> str:
    """The form in which names compare: `Sign Up`, `SignUp` and `SIGNUP` are one event (engagement 2.3)."""
    return name.translate(_SPACES).casefold()


def clean(name: str, length_max: int) -> str:
    """A name or event property key without forbidden characters, trimmed and cut; may come out empty."""
    return name.translate(_DROP).strip()[:length_max].rstrip()


def clean_profile_key(name: str, length_max: int) -> str:
    """The same for profile property keys, where `#` is forbidden too."""
    return name.translate(_DROP_PROFILE).strip()[:length_max].rstrip()


CHARGED = "Charged"

SYSTEM = (
    "Notification Sent",
    "Notification Viewed",
    "Notification Clicked",
    "Notification Delivered",
    "Notification Replied",
    "Notification Failed",
    "Notification Bounced",
    "Push Impressions",
    "UTM Visited",
    "App Installed",
    "App Launched",
    "App Uninstalled",
    "App Version Changed",
    "App Upgraded",
    "Web Session Started",
    "Session Concluded",
    "Stayed",
    "Reply Sent",
    "Experiment Rendered",
    "Reachable By",
    "Identity Reset",
    "Identity Set",
    "Identity Error",
    "Push Unregistered",
    "Channel Unsubscribed",
    "Channel Subscribed",
    "Geocluster Entered",
    "Geocluster Exited",
    "Segment Membership Change",
    "State Transitioned",
    "Likelihood Change",
    "Partner Sync",
    "Webhook Delivered",
    "AB Test Enter",
    "AB Test Exit",
    "AB Experiment Rendered",
    "AB Experiment Rolled Out",
    "AB Experiment Stopped",
    "AB Experiment Disqualified",
    "CT Coupon Rewarded",
    "CT Coupon Redeemed",
    "CT Coupon Reverted",
    "CT Points Credited",
    "CT Points Debited",
    "CT Partner Voucher Rewarded",
    "Control Group",
    "Message Suppressed",
    "Journey Entered",
    "Journey Node Passed",
    "Journey Exited",
    "Segment Entered",
    "Segment Exited",
    "Email Bounced",
    "Email Complained",
    "wzrk_d",
    "SCOutgoing",
    "SCIncoming",
    "SCEnd",
    "SCCampaignOptOut",
)
"""Events that only the system raises (engagement 2.2, server-api 3.7); an upload of one is refused with 513."""

RESTRICTED = frozenset(fold(name) for name in SYSTEM)

DEBUG = frozenset(
    fold(n) for n in ("Identity Set", "Identity Reset", "Identity Error", "Reachable By", "Push Unregistered")
)
"""Hidden unless asked for, and no sign of activity (engagement 2.2, 2.6)."""
