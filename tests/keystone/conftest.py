"""What the tests of a real Keystone share."""

import pytest

from tests.support import keystone_limits
from tests.support.keystone import RealKeystone


@pytest.fixture(scope="session")
def keystone(shared_keystone: RealKeystone) -> RealKeystone:
    """The shared Keystone, with limits of the image service and the user who reads them."""
    keystone_limits.make(shared_keystone.admin)
    return shared_keystone
