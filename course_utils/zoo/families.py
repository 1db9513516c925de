"""Families of architectures: when they came, from which paper, with what idea."""

from __future__ import annotations

from dataclasses import dataclass, field

PLAIN, RESIDUAL, EFFICIENT = "Early networks", "Residual", "Small and searched"
MODERN, TRANSFORMER, HYBRID = "Modern convolution", "Transformer", "Hybrid"
GROUPS = (PLAIN, RESIDUAL, EFFICIENT, MODERN, TRANSFORMER, HYBRID)


@dataclass(frozen=True)
class Family:
    """One family of architectures: its idea in a sentence, and where it was published.

    `year` is that of the first public version of the paper; `venue` is where it
    appeared; `arxiv` its number there, "" where there is none. `group` is one of
    `GROUPS`; `prefixes` are those of the names of its models.
    """

    name: str
    year: int
    key_idea: str
    paper: str
    venue: str
    arxiv: str = ""
    group: str = PLAIN
    prefixes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        """Return the paper's address on arXiv, "" where it has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


_EARLY = (
    Family("AlexNet", 2012,
           "Trains five convolutions and three linear layers on GPUs, with ReLU and "
           "dropout, on a million labelled images.",
           "ImageNet Classification with Deep Convolutional Neural Networks",
           "NeurIPS 2012", "", PLAIN, ("alexnet",)),
    Family("VGG", 2014,
           "Stacks 3 x 3 convolutions only: two of them see as far as one of 5 x 5, "
           "with fewer weights.",
           "Very Deep Convolutional Networks for Large-Scale Image Recognition",
           "ICLR 2015", "1409.1556", PLAIN, ("vgg",)),
    Family("GoogLeNet", 2014,
           "Runs convolutions of several sizes side by side, behind 1 x 1 convolutions "
           "that keep them cheap.",
           "Going Deeper with Convolutions",
           "CVPR 2015", "1409.4842", PLAIN, ("googlenet",)),
    Family("Inception v3", 2015,
           "Splits large convolutions into smaller ones, and n x n into 1 x n and n x 1.",
           "Rethinking the Inception Architecture for Computer Vision",
           "CVPR 2016", "1512.00567", PLAIN, ("inception_v3",)),
    Family("Inception v4", 2016,
           "Combines Inception's parallel convolutions with residual connections.",
           "Inception-v4, Inception-ResNet and the Impact of Residual Connections on "
           "Learning",
           "AAAI 2017", "1602.07261", PLAIN, ("inception_v4", "inception_resnet")),
    Family("Xception", 2016,
           "Replaces Inception blocks by depthwise-separable convolutions: space first, "
           "channels after, never both at once.",
           "Xception: Deep Learning with Depthwise Separable Convolutions",
           "CVPR 2017", "1610.02357", PLAIN, ("xception",)),
)  # fmt: skip
_RESIDUAL = (
    Family("ResNet", 2015,
           "Adds each block's input to its output, so that gradients reach the first "
           "layers.",
           "Deep Residual Learning for Image Recognition",
           "CVPR 2016", "1512.03385", RESIDUAL, ("resnet",)),
    Family("ResNet v2", 2016,
           "Moves normalisation and ReLU before the convolutions, so that nothing lies "
           "on the path of the identity.",
           "Identity Mappings in Deep Residual Networks",
           "ECCV 2016", "1603.05027", RESIDUAL, ("resnetv2",)),
    Family("ResNet-RS", 2021,
           "Keeps the ResNet, and improves its training recipe and its scaling.",
           "Revisiting ResNets: Improved Training and Scaling Strategies",
           "NeurIPS 2021", "2103.07579", RESIDUAL, ("resnetrs",)),
    Family("Wide ResNet", 2016,
           "Makes residual blocks wider rather than the network deeper, which runs "
           "faster for the same accuracy.",
           "Wide Residual Networks",
           "BMVC 2016", "1605.07146", RESIDUAL, ("wide_resnet",)),
    Family("ResNeXt", 2016,
           "Cuts a block's 3 x 3 convolution into parallel groups of channels: more "
           "paths for the same cost.",
           "Aggregated Residual Transformations for Deep Neural Networks",
           "CVPR 2017", "1611.05431", RESIDUAL, ("resnext",)),
    Family("DenseNet", 2016,
           "Hands each layer the outputs of all layers before it in its block, so that "
           "each adds only a few channels.",
           "Densely Connected Convolutional Networks",
           "CVPR 2017", "1608.06993", RESIDUAL, ("densenet",)),
    Family("DPN", 2017,
           "Runs a residual path and a dense path through the same blocks.",
           "Dual Path Networks",
           "NeurIPS 2017", "1707.01629", RESIDUAL, ("dpn",)),
    Family("DLA", 2017,
           "Merges the outputs of layers and stages step by step, as a tree.",
           "Deep Layer Aggregation",
           "CVPR 2018", "1707.06484", RESIDUAL, ("dla",)),
    Family("SENet", 2017,
           "Weighs the channels of a block by factors computed from their averages over "
           "the image.",
           "Squeeze-and-Excitation Networks",
           "CVPR 2018", "1709.01507", RESIDUAL, ("senet", "seresnet", "seresnext")),
    Family("SKNet", 2019,
           "Lets each block weigh branches with kernels of different sizes, by the image.",
           "Selective Kernel Networks",
           "CVPR 2019", "1903.06586", RESIDUAL, ("skresnet", "skresnext")),
    Family("Res2Net", 2019,
           "Splits a block's channels into parts that are convolved one after the other, "
           "each given the previous result.",
           "Res2Net: A New Multi-scale Backbone Architecture",
           "TPAMI 2021", "1904.01169", RESIDUAL, ("res2net", "res2next")),
    Family("ECA-Net", 2019,
           "Weighs channels by a one-dimensional convolution over their averages, which "
           "costs a handful of weights.",
           "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks",
           "CVPR 2020", "1910.03151", RESIDUAL,
           ("ecaresnet", "ecaresnext", "eca_resnet", "eca_resnext")),
    Family("ResNeSt", 2020,
           "Splits channels into groups and weighs the parts of each group against each "
           "other.",
           "ResNeSt: Split-Attention Networks",
           "CVPR Workshops 2022", "2004.08955", RESIDUAL, ("resnest",)),
    Family("HRNet", 2019,
           "Keeps a branch of high resolution through the whole network and exchanges "
           "with coarser branches.",
           "Deep High-Resolution Representation Learning for Visual Recognition",
           "TPAMI 2021", "1908.07919", RESIDUAL, ("hrnet",)),
    Family("VoVNet", 2019,
           "Joins the outputs of all layers of a block once, at its end, which costs "
           "less memory traffic than DenseNet.",
           "An Energy and GPU-Computation Efficient Backbone Network for Real-Time "
           "Object Detection",
           "CVPR Workshops 2019", "1904.09730", RESIDUAL, ("vovnet", "ese_vovnet")),
    Family("CSPNet", 2019,
           "Sends half of the channels around each stage and joins them at its end.",
           "CSPNet: A New Backbone that can Enhance Learning Capability of CNN",
           "CVPR Workshops 2020", "1911.11929", RESIDUAL,
           ("cspresnet", "cspresnext", "cspdarknet", "cs3")),
    Family("RegNet", 2020,
           "Sets all widths and depths by a linear rule, found by comparing whole "
           "populations of networks.",
           "Designing Network Design Spaces",
           "CVPR 2020", "2003.13678", RESIDUAL, ("regnet",)),
    Family("TResNet", 2020,
           "Adapts ResNet to GPUs: a space-to-depth stem, in-place activations and "
           "channel attention where it is cheap.",
           "TResNet: High Performance GPU-Dedicated Architecture",
           "WACV 2021", "2003.13630", RESIDUAL, ("tresnet",)),
    Family("RepVGG", 2021,
           "Trains parallel branches and folds them into single 3 x 3 convolutions for "
           "inference.",
           "RepVGG: Making VGG-style ConvNets Great Again",
           "CVPR 2021", "2101.03697", RESIDUAL, ("repvgg",)),
    Family("NFNet", 2021,
           "Does without BatchNorm: standardised weights and adaptively clipped gradients "
           "keep training stable.",
           "High-Performance Large-Scale Image Recognition Without Normalization",
           "ICML 2021", "2102.06171", RESIDUAL,
           ("nfnet", "dm_nfnet", "eca_nfnet", "nf_")),
)  # fmt: skip
_EFFICIENT = (
    Family("SqueezeNet", 2016,
           "Squeezes channels by 1 x 1 convolutions before the 3 x 3 ones, and reaches "
           "AlexNet's accuracy with a fiftieth of its weights.",
           "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB "
           "model size",
           "preprint 2016", "1602.07360", EFFICIENT, ("squeezenet",)),
    Family("MobileNet v1", 2017,
           "Builds the whole network from depthwise-separable convolutions.",
           "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision "
           "Applications",
           "preprint 2017", "1704.04861", EFFICIENT, ("mobilenetv1",)),
    Family("MobileNet v2", 2018,
           "Widens each block inside and narrows it at both ends, where the residual "
           "connection runs; its convolutions are depthwise.",
           "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
           "CVPR 2018", "1801.04381", EFFICIENT, ("mobilenet_v2", "mobilenetv2")),
    Family("MobileNet v3", 2019,
           "Searches the blocks of MobileNet v2 automatically, and adds channel "
           "attention and a cheap activation.",
           "Searching for MobileNetV3",
           "ICCV 2019", "1905.02244", EFFICIENT, ("mobilenet_v3", "mobilenetv3")),
    Family("MobileNet v4", 2024,
           "Unites the blocks of earlier mobile networks in one that can be searched, "
           "and adds an attention made for mobile chips.",
           "MobileNetV4: Universal Models for the Mobile Ecosystem",
           "ECCV 2024", "2404.10518", EFFICIENT, ("mobilenetv4",)),
    Family("ShuffleNet v2", 2018,
           "Passes half of the channels through each block untouched and then shuffles "
           "them; designed by measured speed, not by FLOPs.",
           "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
           "ECCV 2018", "1807.11164", EFFICIENT, ("shufflenet",)),
    Family("NASNet", 2017,
           "Searches a small cell automatically on CIFAR-10 and repeats it for ImageNet.",
           "Learning Transferable Architectures for Scalable Image Recognition",
           "CVPR 2018", "1707.07012", EFFICIENT, ("nasnet",)),
    Family("PNASNet", 2017,
           "Searches cells from simple to complex, with a predictor that ranks "
           "candidates before they are trained.",
           "Progressive Neural Architecture Search",
           "ECCV 2018", "1712.00559", EFFICIENT, ("pnasnet",)),
    Family("MNASNet", 2018,
           "Searches blocks for accuracy and for latency measured on a phone at once.",
           "MnasNet: Platform-Aware Neural Architecture Search for Mobile",
           "CVPR 2019", "1807.11626", EFFICIENT, ("mnasnet", "semnasnet")),
    Family("FBNet", 2018,
           "Searches blocks by gradients, with a differentiable estimate of latency.",
           "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural "
           "Architecture Search",
           "CVPR 2019", "1812.03443", EFFICIENT, ("fbnetc",)),
    Family("EfficientNet", 2019,
           "Scales depth, width and image size together by one compound factor.",
           "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
           "ICML 2019", "1905.11946", EFFICIENT, ("efficientnet",)),
    Family("EfficientNet v2", 2021,
           "Uses full convolutions in the early stages and trains on images that grow, "
           "which makes training several times faster.",
           "EfficientNetV2: Smaller Models and Faster Training",
           "ICML 2021", "2104.00298", EFFICIENT,
           ("efficientnet_v2", "efficientnetv2", "gc_efficientnetv2")),
    Family("MixNet", 2019,
           "Mixes kernels of several sizes within one depthwise convolution.",
           "MixConv: Mixed Depthwise Convolutional Kernels",
           "BMVC 2019", "1907.09595", EFFICIENT, ("mixnet",)),
    Family("GhostNet", 2019,
           "Computes part of the channels by cheap linear operations on the others.",
           "GhostNet: More Features from Cheap Operations",
           "CVPR 2020", "1911.11907", EFFICIENT, ("ghostnet_",)),
    Family("ReXNet", 2020,
           "Lets the number of channels grow steadily from block to block, to avoid "
           "bottlenecks of rank.",
           "Rethinking Channel Dimensions for Efficient Model Design",
           "CVPR 2021", "2007.00992", EFFICIENT, ("rexnet",)),
    Family("MobileOne", 2022,
           "Trains many parallel branches and folds them into plain convolutions that "
           "take about a millisecond on a phone.",
           "MobileOne: An Improved One Millisecond Mobile Backbone",
           "CVPR 2023", "2206.04040", EFFICIENT, ("mobileone",)),
)  # fmt: skip
_MODERN = (
    Family("ConvNeXt", 2022,
           "Rebuilds a ResNet with the choices of transformers: patches at the stem, "
           "7 x 7 depthwise convolutions, LayerNorm and GELU.",
           "A ConvNet for the 2020s",
           "CVPR 2022", "2201.03545", MODERN, ("convnext",)),
    Family("ConvNeXt v2", 2023,
           "Adds to ConvNeXt a normalisation over channels that lets it learn from "
           "masked images.",
           "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders",
           "CVPR 2023", "2301.00808", MODERN, ("convnextv2",)),
    Family("ConvMixer", 2022,
           "Cuts the image into patches and mixes them by large depthwise and by 1 x 1 "
           "convolutions only.",
           "Patches Are All You Need?",
           "TMLR 2023", "2201.09792", MODERN, ("convmixer",)),
    Family("InceptionNeXt", 2023,
           "Splits ConvNeXt's large depthwise kernel into a small square, two bands and "
           "an identity, to run faster.",
           "InceptionNeXt: When Inception Meets ConvNeXt",
           "CVPR 2024", "2303.16900", MODERN, ("inception_next",)),
    Family("FocalNet", 2022,
           "Replaces attention by context gathered at several scales, which modulates "
           "each position.",
           "Focal Modulation Networks",
           "NeurIPS 2022", "2203.11926", MODERN, ("focalnet",)),
    Family("PoolFormer", 2021,
           "Replaces attention by average pooling, to show that the layout of a "
           "transformer matters more than its mixer.",
           "MetaFormer Is Actually What You Need for Vision",
           "CVPR 2022", "2111.11418", MODERN, ("poolformer_",)),
    Family("MLP-Mixer", 2021,
           "Mixes patches and channels in turn by plain linear layers, without "
           "convolution or attention.",
           "MLP-Mixer: An all-MLP Architecture for Vision",
           "NeurIPS 2021", "2105.01601", MODERN, ("mixer",)),
    Family("ResMLP", 2021,
           "Mixes patches by one linear layer in each block and normalises by learned "
           "scales only.",
           "ResMLP: Feedforward Networks for Image Classification with Data-Efficient "
           "Training",
           "TPAMI 2022", "2105.03404", MODERN, ("resmlp",)),
    Family("gMLP", 2021,
           "Lets a linear layer over patches gate half of the channels with the other "
           "half.",
           "Pay Attention to MLPs",
           "NeurIPS 2021", "2105.08050", MODERN, ("gmlp",)),
)  # fmt: skip
_TRANSFORMER = (
    Family("ViT", 2020,
           "Cuts the image into patches and reads them as a sequence with a plain "
           "transformer.",
           "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
           "ICLR 2021", "2010.11929", TRANSFORMER, ("vit",)),
    Family("DeiT", 2020,
           "Trains a ViT on ImageNet alone, by strong augmentation and distillation from "
           "a convolutional teacher.",
           "Training data-efficient image transformers & distillation through attention",
           "ICML 2021", "2012.12877", TRANSFORMER, ("deit_",)),
    Family("DeiT III", 2022,
           "Keeps the plain ViT and improves its training recipe, with three simple "
           "augmentations.",
           "DeiT III: Revenge of the ViT",
           "ECCV 2022", "2204.07118", TRANSFORMER, ("deit3_",)),
    Family("Swin", 2021,
           "Attends within small windows, which shift from layer to layer, and lowers "
           "the resolution from stage to stage.",
           "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
           "ICCV 2021", "2103.14030", TRANSFORMER, ("swin_",)),
    Family("Swin v2", 2021,
           "Steadies Swin for large models and images: cosine attention, normalisation "
           "after each layer, positions on a log scale.",
           "Swin Transformer V2: Scaling Up Capacity and Resolution",
           "CVPR 2022", "2111.09883", TRANSFORMER, ("swin_v2", "swinv2")),
    Family("CaiT", 2021,
           "Scales the output of each layer by small learned factors, and lets the class "
           "token in only at the end.",
           "Going deeper with Image Transformers",
           "ICCV 2021", "2103.17239", TRANSFORMER, ("cait",)),
    Family("XCiT", 2021,
           "Attends between channels instead of patches, so that the cost grows linearly "
           "with the number of patches.",
           "XCiT: Cross-Covariance Image Transformers",
           "NeurIPS 2021", "2106.09681", TRANSFORMER, ("xcit",)),
    Family("PVT v2", 2021,
           "Attends to a reduced set of positions, in stages of falling resolution.",
           "PVT v2: Improved Baselines with Pyramid Vision Transformer",
           "CVMJ 2022", "2106.13797", TRANSFORMER, ("pvt_v2",)),
    Family("Twins", 2021,
           "Alternates attention within windows with attention to one summary of each "
           "window.",
           "Twins: Revisiting the Design of Spatial Attention in Vision Transformers",
           "NeurIPS 2021", "2104.13840", TRANSFORMER, ("twins",)),
    Family("BEiT", 2021,
           "Teaches a ViT to name the visual tokens of masked patches before it sees any "
           "label.",
           "BEiT: BERT Pre-Training of Image Transformers",
           "ICLR 2022", "2106.08254", TRANSFORMER, ("beit_",)),
    Family("MViT v2", 2021,
           "Pools queries, keys and values inside attention, so that resolution falls "
           "while channels grow.",
           "MViTv2: Improved Multiscale Vision Transformers for Classification and "
           "Detection",
           "CVPR 2022", "2112.01526", TRANSFORMER, ("mvitv2",)),
    Family("DaViT", 2022,
           "Alternates attention between patches in windows with attention between "
           "channels.",
           "DaViT: Dual Attention Vision Transformers",
           "ECCV 2022", "2204.03645", TRANSFORMER, ("davit",)),
    Family("EVA", 2022,
           "Teaches a ViT to rebuild the features that CLIP has of masked patches.",
           "EVA: Exploring the Limits of Masked Visual Representation Learning at Scale",
           "CVPR 2023", "2211.07636", TRANSFORMER, ("eva_", "eva02")),
    Family("Hiera", 2023,
           "Strips a hierarchical transformer of its extras and learns what they gave by "
           "filling in masked patches.",
           "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles",
           "ICML 2023", "2306.00989", TRANSFORMER, ("hiera_",)),
)  # fmt: skip
_HYBRID = (
    Family("MaxViT", 2022,
           "Lets each block convolve, then attend within windows, then across a sparse "
           "grid of the whole image.",
           "MaxViT: Multi-Axis Vision Transformer",
           "ECCV 2022", "2204.01697", HYBRID, ("maxvit",)),
    Family("CoAtNet", 2021,
           "Convolves in the early stages and attends, with relative positions, in the "
           "late ones.",
           "CoAtNet: Marrying Convolution and Attention for All Data Sizes",
           "NeurIPS 2021", "2106.04803", HYBRID, ("coatnet",)),
    Family("LeViT", 2021,
           "Puts a stem of convolutions and a pyramid of attention with learned position "
           "biases together for speed.",
           "LeViT: a Vision Transformer in ConvNet's Clothing for Faster Inference",
           "ICCV 2021", "2104.01136", HYBRID, ("levit",)),
    Family("ConViT", 2021,
           "Starts attention as if it were a convolution and lets it learn to look "
           "further.",
           "ConViT: Improving Vision Transformers with Soft Convolutional Inductive "
           "Biases",
           "ICML 2021", "2103.10697", HYBRID, ("convit",)),
    Family("MobileViT", 2021,
           "Puts small transformers over unfolded patches into a mobile network of "
           "convolutions.",
           "MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision "
           "Transformer",
           "ICLR 2022", "2110.02178", HYBRID, ("mobilevit_",)),
    Family("MobileViT v2", 2022,
           "Replaces MobileViT's attention by one whose cost grows linearly with the "
           "number of patches.",
           "Separable Self-attention for Mobile Vision Transformers",
           "TMLR 2023", "2206.02680", HYBRID, ("mobilevitv2",)),
    Family("EdgeNeXt", 2022,
           "Splits channels over depthwise convolutions of growing reach and attends "
           "between channels.",
           "EdgeNeXt: Efficiently Amalgamated CNN-Transformer Architecture for Mobile "
           "Vision Applications",
           "ECCV Workshops 2022", "2206.10589", HYBRID, ("edgenext",)),
    Family("EfficientFormer", 2022,
           "Chooses the layers of a transformer by their latency on a phone, with "
           "attention in the last stage only.",
           "EfficientFormer: Vision Transformers at MobileNet Speed",
           "NeurIPS 2022", "2206.01191", HYBRID, ("efficientformer_",)),
    Family("CAFormer", 2022,
           "Shows how far the layout of a transformer goes with convolutions at first "
           "and attention later.",
           "MetaFormer Baselines for Vision",
           "TPAMI 2024", "2210.13452", HYBRID,
           ("caformer", "convformer", "poolformerv2")),
    Family("TinyViT", 2022,
           "Pretrains small transformers by stored outputs of a large teacher.",
           "TinyViT: Fast Pretraining Distillation for Small Vision Transformers",
           "ECCV 2022", "2207.10666", HYBRID, ("tiny_vit",)),
    Family("ViTamin", 2024,
           "Puts two stages of convolutions before one of attention, chosen by how they "
           "learn from pairs of images and texts.",
           "ViTamin: Designing Scalable Vision Models in the Vision-Language Era",
           "CVPR 2024", "2404.02132", HYBRID, ("vitamin",)),
    Family("FastViT", 2023,
           "Folds branches and skip connections away for inference, in a hybrid of "
           "convolutions and attention.",
           "FastViT: A Fast Hybrid Vision Transformer using Structural "
           "Reparameterization",
           "ICCV 2023", "2303.14189", HYBRID, ("fastvit",)),
)  # fmt: skip

FAMILIES = (*_EARLY, *_RESIDUAL, *_EFFICIENT, *_MODERN, *_TRANSFORMER, *_HYBRID)
_VARIANTS = ("test_", "tf_", "legacy_")  # timm: a small copy, a port, an older copy


def family_of(name: str) -> Family | None:
    """Return the family of a torchvision or timm model, or None where it is not listed.

    Library prefixes, weight tags and timm's marks of a port or a test model are
    ignored: "timm/tf_efficientnet_b0.ns_jft_in1k" is an EfficientNet.
    """
    bare = name.rpartition("/")[2].partition(".")[0]
    for variant in _VARIANTS:
        bare = bare.removeprefix(variant)
    matches = [
        (len(prefix), family)
        for family in FAMILIES
        for prefix in family.prefixes
        if bare.startswith(prefix)
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else None
