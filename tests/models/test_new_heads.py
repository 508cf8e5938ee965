"""A new head, in one network of each family of both libraries that is quick to build: no class is more probable.

`benchmarks/new_heads.py` asks the same of every name.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from assay.models.library import split_name
from assay.models.structure import final_layers
from assay.models.weights import Pretrained, load_weights
from quick_suite import rest_slow

CLASSES = 5
HEADS = [  # each of another form
    "torchvision:squeezenet1_1",  # a convolution before a ReLU and the mean over positions
    "torchvision:mobilenet_v3_small",  # two layers
    "torchvision:alexnet",  # three layers
    "torchvision:shufflenet_v2_x0_5",
    "timm:test_byobnet",
    "timm:test_convnext",
    "timm:test_efficientnet",
    "timm:test_mambaout",
    "timm:test_nfnet",
    "timm:test_vit",
    "timm:levit_128s",  # two heads, a norm before each
    "timm:levit_384_s8",  # two heads, of which timm names one
]
FAMILIES = [
    "torchvision:efficientnet_b0",
    "torchvision:googlenet",
    "torchvision:mnasnet0_5",
    "torchvision:mobilenet_v2",
    "torchvision:regnet_y_400mf",
    "torchvision:resnet18",
    "timm:cpubone_nano",
    "timm:cs3darknet_focus_s",
    "timm:cspnext_tiny",
    "timm:deit_tiny_distilled_patch16_224",
    "timm:dla46x_c",
    "timm:edgenext_xx_small",
    "timm:efficientformerv2_s0",
    "timm:efficientvim_m1_dist",  # a weighted mean of eight heads
    "timm:efficientvit_b0",
    "timm:efficientvit_m0",
    "timm:ese_vovnet19b_slim_dw",
    "timm:fasternet_t0",
    "timm:fastvit_t8",
    "timm:ghostnet_050",
    "timm:gmlp_ti16_224",
    "timm:hgnetv2_b0",
    "timm:iformer_t",
    "timm:inception_next_atto",
    "timm:lcnet_035",
    "timm:lcnetv2_small",
    "timm:pit_ti_distilled_224",
    "timm:pvt_v2_b0",
    "timm:regnetx_002",
    "timm:repghostnet_050",
    "timm:repvit_m1",
    "timm:resnetv2_18",
    "timm:rexnet_100",
    "timm:shvit_s1",
    "timm:starnet_s050",
    "timm:swiftformer_xs",
    "timm:test_coatnet",
    "timm:test_resnet",
    "timm:test_vit_relpos",
    "timm:volo_d1_224",  # an auxiliary head beside the head
    "timm:xcit_nano_12_p8_224",
]


@pytest.mark.parametrize("name", rest_slow([*HEADS, *FAMILIES], quick=4))
@pytest.mark.filterwarnings("ignore")  # of the libraries' constructors
def test_a_new_head_gives_all_classes_the_same_score_and_can_learn(name: str) -> None:
    torch.manual_seed(0)
    library, own = split_name(name)
    source, target = (library.make(own, classes=classes, channels=3, size=64) for classes in (CLASSES + 2, CLASSES))
    load_weights(target, Pretrained(source.state_dict(), "itself"))
    for mode in (True, False):
        scores = target.train(mode)(torch.randn(CLASSES, 3, 64, 64))
        assert (scores.amax(1) - scores.amin(1)).max() < 1e-5
        loss = F.cross_entropy(scores, torch.arange(CLASSES))
        assert loss.item() == pytest.approx(math.log(CLASSES), rel=1e-5)
        target.zero_grad()
        loss.backward()
        for layer in final_layers(target):
            gradient = target.get_parameter(f"{layer}.weight").grad
            assert gradient is not None
            assert gradient.abs().max() > 0
