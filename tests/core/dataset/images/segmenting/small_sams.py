"""SAM 2, Grounding DINO and MobileSAM as small as they can be, with the files, inputs and outputs of the real ones."""

from pathlib import Path

SIDE = 64
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "watermark", "red", "cat"]


def save_sam2(folder: Path, seed=0, video=True) -> Path:
    """SAM 2.1's repositories hold the model for video, of which the one for pictures is a part."""
    import torch
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model, Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(seed)
    backbone = {"model_type": "sam2_hiera_det_model", "image_size": [SIDE, SIDE], "hidden_size": 8, "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 1, 1],
                "window_size_per_stage": [4, 4, 4, 2], "global_attention_blocks": [3]}
    vision = {"backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32,
              "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2]}
    rest = {"prompt_encoder_config": {"hidden_size": 32, "image_size": SIDE, "mask_input_channels": 4},
            "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}}
    if video:
        memory = {"memory_attention_hidden_size": 32, "memory_attention_feed_forward_hidden_size": 32, "memory_attention_num_layers": 1,
                  "memory_encoder_hidden_size": 32, "memory_encoder_output_channels": 16, "mask_downsampler_embed_dim": 32,
                  "memory_fuser_embed_dim": 32, "memory_fuser_intermediate_dim": 32, "memory_attention_num_attention_heads": 1,
                  "memory_attention_rope_feat_sizes": [SIDE // 16] * 2, "image_size": SIDE}
        Sam2VideoModel(Sam2VideoConfig(vision_config=vision, **rest, **memory)).save_pretrained(folder)
    else:
        Sam2Model(Sam2Config(vision_config=vision, **rest)).save_pretrained(folder)
    Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}, mask_size={"height": SIDE // 4, "width": SIDE // 4}).save_pretrained(folder)
    return folder


def save_grounding_dino(folder: Path, seed=0) -> Path:
    import torch
    from transformers import (
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
    )

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    config = GroundingDinoConfig(
        backbone_config={"model_type": "swin", "image_size": 64, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
                         "window_size": 2, "out_indices": [2, 3, 4]},
        text_config={"model_type": "bert", "vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "intermediate_size": 32},
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, num_queries=5, num_feature_levels=4, encoder_n_points=2, decoder_n_points=2, max_text_len=16)
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def save_mobile_sam(folder: Path) -> tuple[Path, Path]:
    """Its four answers are diamonds around the first point of 5, 10, 20 and 40 px of the 1024 that the model sees, the third of which it
    thinks the best; with a mask in view each is 3 px larger."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def save(path, nodes, takes, gives, values):
        info = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in some] for some in (takes, gives)]
        weights = [numpy_helper.from_array(numpy.array(value), name) for name, value in values.items()]
        graph = helper.make_graph(nodes, "sam", *info, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)

    node = helper.make_node
    encoder, decoder = folder / "mobile-sam-encoder.onnx", folder / "mobile-sam-decoder.onnx"
    save(encoder, [node("ReduceMean", ["input_image"], ["mean"], keepdims=1, axes=[0, 1, 2]),
                   node("Mul", ["mean", "ones"], ["image_embeddings"])],
         [("input_image", ["h", "w", 3])], [("image_embeddings", [1, 256, 64, 64])], {"ones": numpy.ones((1, 256, 64, 64), "float32")})
    nodes = [node("Split", ["orig_im_size"], ["h", "w"], axis=0), node("Squeeze", ["h", "first"], ["hs"]),
             node("Squeeze", ["w", "first"], ["ws"]),
             node("Range", ["zero", "hs", "one"], ["ys"]), node("Range", ["zero", "ws", "one"], ["xs"]),
             node("Slice", ["point_coords", "begin", "end", "axes"], ["point"]), node("Reshape", ["point", "two"], ["flat"]),
             node("Split", ["flat"], ["px", "py"], axis=0), node("Sub", ["xs", "px"], ["dx"]), node("Sub", ["ys", "py"], ["dy"]),
             node("Abs", ["dx"], ["ax"]), node("Abs", ["dy"], ["ay"]), node("Unsqueeze", ["ay", "last"], ["column"]),
             node("Add", ["ax", "column"], ["away"]), node("Mul", ["has_mask_input", "three"], ["more"]),
             node("Add", ["radii", "more"], ["reach"]), node("Sub", ["reach", "away"], ["masks"]),
             node("ReduceMean", ["image_embeddings"], ["seen"], keepdims=0), node("Mul", ["seen", "zero"], ["nothing"]),
             node("Add", ["scores", "nothing"], ["iou_predictions"]), node("Mul", ["mask_input", "copies"], ["low_res_masks"]),
             node("Identity", ["point_labels"], ["labels"])]
    single = {"zero": 0, "one": 1, "three": 3}
    values = {name: numpy.float32(value) for name, value in single.items()}
    values |= {"radii": numpy.array([5, 10, 20, 40], "float32").reshape(1, 4, 1, 1), "scores": numpy.float32([[0.95, 0.5, 0.9, 0.2]]),
               "copies": numpy.ones((1, 4, 1, 1), "float32"), "two": numpy.array([2]), "last": numpy.array([1]), "first": numpy.array([0]),
               "begin": numpy.array([0]), "end": numpy.array([1]), "axes": numpy.array([1])}
    save(decoder, nodes,
         [("image_embeddings", [1, 256, 64, 64]), ("point_coords", [1, "n", 2]), ("point_labels", [1, "n"]),
          ("mask_input", [1, 1, 256, 256]), ("has_mask_input", [1]), ("orig_im_size", [2])],
         [("masks", [1, 4, "height", "width"]), ("iou_predictions", [1, 4]), ("low_res_masks", [1, 4, 256, 256]), ("labels", [1, "n"])],
         values)
    return encoder, decoder
