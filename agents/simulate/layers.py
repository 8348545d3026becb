"""The blobs of a fleet and the engines built from them: computers of one group share both."""

from __future__ import annotations

from collections import OrderedDict

from agents.protocol import acceptance
from agents.protocol.manifest import Manifest
from policies.engine.bundle import open_blobs
from policies.engine.engine import Engine

MAX_ENGINES = 64


class LayerStore:
    """Verified blobs by digest and engines by the set of digests, for all computers of one process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._engines: OrderedDict[tuple[str, ...], Engine] = OrderedDict()

    def missing(self, manifest: Manifest) -> list[str]:
        """Digests of the manifest's layers that are not here yet, in its order."""
        return [layer.digest for layer in manifest.layers if layer.digest not in self._blobs]

    def put(self, manifest: Manifest, digest: str, blob: bytes) -> None:
        """Keep a blob once it is the one the manifest names. Raises acceptance.Rejection."""
        for layer in manifest.layers:
            if layer.digest == digest:
                acceptance.check_layer(layer, blob)
        self._blobs[digest] = blob

    def engine(self, manifest: Manifest) -> Engine:
        """The engine that decides by this manifest. Raises BundleError when a layer cannot be read."""
        key = (manifest.place.os, *(layer.digest for layer in manifest.layers))
        if key in self._engines:
            self._engines.move_to_end(key)
            return self._engines[key]
        policies, applications = open_blobs(
            (layer.kind, layer.name, self._blobs[layer.digest]) for layer in manifest.layers
        )
        self._engines[key] = Engine(applications, policies, manifest.place.os)
        if len(self._engines) > MAX_ENGINES:
            self._engines.popitem(last=False)
        return self._engines[key]
