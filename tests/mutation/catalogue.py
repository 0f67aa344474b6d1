"""Every reader of files, by its name."""

from tests.mutation.depth_readers import DEPTH_READERS
from tests.mutation.label_readers import LABEL_READERS
from tests.mutation.model_readers import MODEL_READERS
from tests.mutation.other_readers import OTHER_READERS
from tests.mutation.prediction_readers import PREDICTION_READERS
from tests.mutation.reader import Reader
from tests.mutation.result_readers import RESULT_READERS
from tests.mutation.tracking_readers import TRACKING_READERS

READERS: dict[str, Reader] = {
    reader.name: reader
    for readers in (
        *(DEPTH_READERS, LABEL_READERS, PREDICTION_READERS, RESULT_READERS),
        *(MODEL_READERS, TRACKING_READERS, OTHER_READERS),
    )
    for reader in readers
}
