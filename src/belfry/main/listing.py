"""Lists, catalogs and the uploads that fill them, as both processes build them, and the engine's worker."""

from __future__ import annotations

import msgspec

from belfry.catalogs.actions import Catalogs
from belfry.catalogs.processor import CatalogProcessor, ProductsProcessor
from belfry.lists.actions import Lists
from belfry.lists.processor import ListProcessor
from belfry.main.stores import Installation
from belfry.profiles.actions import Profiles
from belfry.segments.members import Members
from belfry.uploads.actions import Uploads
from belfry.uploads.files import UploadFiles
from belfry.uploads.model import Purpose
from belfry.uploads.tokens import Signer
from belfry.uploads.worker import Processor, UploadWorker


class ListingParts(msgspec.Struct, frozen=True):
    """What the edge offers to callers."""

    uploads: Uploads
    lists: Lists
    catalogs: Catalogs


def build_listing(here: Installation) -> ListingParts:
    """The verbs."""
    uploads = Uploads(here.database, _files(here), Signer(here.secret), here.clock, here.ids)
    return ListingParts(
        uploads,
        Lists(here.database, uploads, here.clock),
        Catalogs(here.database, uploads, here.clock),
    )


def build_upload_worker(here: Installation) -> UploadWorker:
    """What processes submitted uploads, each kind by its own processor."""
    lists = ListProcessor(here.database, Profiles(here.database), Members(here.columnar), here.clock)
    processors: dict[Purpose, Processor] = {
        Purpose.CUSTOM_LIST: lists,
        Purpose.CATALOG: CatalogProcessor(here.database, here.clock),
        Purpose.CATALOG_PRODUCTS: ProductsProcessor(here.database, here.clock),
    }
    return UploadWorker(here.database, _files(here), here.clock, processors)


def _files(here: Installation) -> UploadFiles:
    settings = here.settings
    return UploadFiles(
        settings.path("uploads"), bytes_max=settings.file_bytes_max, free_bytes_min=settings.file_free_bytes_min
    )
