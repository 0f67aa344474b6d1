"""What people do with their hands in each dataset: the sampler's settings, found by search.

The settings of NYU and ICVL were drawn towards the statistics of the real labels (components, spread, motion, palm
normal, nearest pose); docs/embedded-data.md has the table. MSRA's follow its protocol: given gestures, held while the
hand turns through wide yaw and pitch. MSRA14 and Dexter+Object borrow from ICVL, with the hand nearer, and
the person with the wristband from NYU.
"""

from handbench.hand.gestures import GestureRange
from handbench.hand.sampling import PoseRange, Spread

_NYU = PoseRange(
    gestures=GestureRange(
        straight_share=0.39,
        independence=0.23,
        curl_spread=0.14,
        knuckle_share=(0.83, 0.30),
        spread_deg=7.0,
        thumb_spread=0.23,
    ),
    yaw_deg=Spread(-20.0, 19.0, 89.4, far_share=0.3, far_mean=-100.0),
    pitch_deg=Spread(20.0, 16.0, 30.0, far_share=0.1, far_mean=40.0),
    roll_deg=Spread(8.0, 36.4, 51.1, far_share=0.2, far_mean=50.0),
    depth_mm=(700.0, 1085.0),
    sideways_share=(0.5, 0.5),
    revisits=0.6,
    revisit_deg=10.4,
    pose_frames=(63.0, 4.0),
    place_frames=(80.0, 10.0),
    tremor_deg=0.38,
)
_ICVL = PoseRange(
    gestures=GestureRange(
        straight_share=0.47,
        independence=0.23,
        curl_spread=0.15,
        knuckle_share=(0.85, 0.30),
        spread_deg=4.5,
        thumb_spread=0.24,
    ),
    yaw_deg=Spread(-5.0, 13.5, 47.0, far_share=0.35, far_mean=-10.0),
    pitch_deg=Spread(10.0, 10.5, 20.0, far_share=0.1, far_mean=20.0),
    roll_deg=Spread(0.0, 9.5, 18.0, far_share=0.2, far_mean=0.0),
    depth_mm=(285.0, 425.0),
    sideways_share=(0.35, 0.35),
    revisits=0.6,
    revisit_deg=5.0,
    pose_frames=(11.5, 2.0),
    place_frames=(10.5, 2.0),
    tremor_deg=0.17,
)
_MSRA = PoseRange(
    gestures=GestureRange(0.4, 0.25, 0.15, (0.8, 0.25), 5.0, 0.12),
    yaw_deg=Spread(0.0, 25.0, 45.0, far_share=0.25),
    pitch_deg=Spread(20.0, 22.0, 35.0, far_share=0.25, far_mean=35.0),
    roll_deg=Spread(0.0, 20.0, 40.0, far_share=0.2),
    depth_mm=(280.0, 400.0),
    sideways_share=(0.3, 0.3),
    revisits=0.2,
    revisit_deg=6.0,
    pose_frames=(14.0, 3.0),
    place_frames=(20.0, 4.0),
    tremor_deg=0.3,
)
_MSRA14 = PoseRange(
    gestures=_ICVL.gestures,
    yaw_deg=Spread(0.0, 22.0, 50.0, far_share=0.25),
    pitch_deg=Spread(15.0, 20.0, 30.0, far_share=0.2, far_mean=30.0),
    roll_deg=Spread(0.0, 20.0, 45.0, far_share=0.2),
    depth_mm=(280.0, 430.0),
    sideways_share=(0.3, 0.3),
    revisits=0.3,
    revisit_deg=6.0,
    pose_frames=(16.0, 3.0),
    place_frames=(20.0, 3.0),
    tremor_deg=0.3,
)
# The fingers of these sequences are closed around a box afterwards; only view and place are taken from here.
_DEXTER = PoseRange(
    gestures=_ICVL.gestures,
    yaw_deg=Spread(0.0, 30.0, 60.0, far_share=0.2, far_mean=40.0),
    pitch_deg=Spread(15.0, 15.0, 25.0, far_share=0.1, far_mean=25.0),
    roll_deg=Spread(0.0, 20.0, 40.0, far_share=0.2),
    depth_mm=(400.0, 550.0),
    sideways_share=(0.25, 0.25),
    revisits=0.4,
    revisit_deg=5.0,
    pose_frames=(40.0, 8.0),
    place_frames=(45.0, 8.0),
    tremor_deg=0.2,
)
# One person who shows the camera all that the hand can do, as somebody who adapts a network to themselves does.
_WRISTBAND = PoseRange(
    gestures=_NYU.gestures,
    yaw_deg=Spread(0.0, 25.0, 50.0, far_share=0.25),
    pitch_deg=Spread(15.0, 18.0, 30.0, far_share=0.15, far_mean=30.0),
    roll_deg=Spread(0.0, 20.0, 45.0, far_share=0.2),
    depth_mm=(330.0, 520.0),
    sideways_share=(0.3, 0.3),
    revisits=0.3,
    revisit_deg=6.0,
    pose_frames=(18.0, 4.0),
    place_frames=(24.0, 4.0),
    tremor_deg=0.25,
)

# Of no recording: what hands before some camera may do, as wide as the two first together. Frames stand by themselves.
_HANDS = PoseRange(
    gestures=GestureRange(
        straight_share=0.4,
        independence=0.25,
        curl_spread=0.16,
        knuckle_share=(0.83, 0.30),
        spread_deg=7.0,
        thumb_spread=0.25,
    ),
    yaw_deg=Spread(-12.0, 20.0, 80.0, far_share=0.3, far_mean=-60.0),
    pitch_deg=Spread(15.0, 16.0, 28.0, far_share=0.1, far_mean=30.0),
    roll_deg=Spread(4.0, 28.0, 50.0, far_share=0.2, far_mean=30.0),
    depth_mm=(320.0, 950.0),
    sideways_share=(0.5, 0.5),
    revisits=0.0,
    revisit_deg=0.0,
    pose_frames=(1.0, 1.0),
    place_frames=(1.0, 1.0),
    tremor_deg=0.0,
)

POSE_RANGES = {
    "nyu": _NYU,
    "icvl": _ICVL,
    "msra": _MSRA,
    "msra14": _MSRA14,
    "dexter": _DEXTER,
    "hands": _HANDS,
    "wristband": _WRISTBAND,
}
