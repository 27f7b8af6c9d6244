"""Models of the picture tools, by name: upscalers, face restorers, what finds a background or a face, what paints anew.

Each is one file, pinned by its SHA-256; who drops a file of his own into the same folder of models/ finds it in the lists too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.models.catalog import APACHE, RAIL, RAIL_XL, NamedModel

UPSCALERS: tuple[NamedModel, ...] = ()
RESTORERS: tuple[NamedModel, ...] = ()
_REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_BIREFNET = "https://github.com/ZhengPeng7/BiRefNet/releases/download/v1"
_MOBILE_SAM = "https://huggingface.co/Acly/MobileSAM/resolve/0d3b403339b4674a82493d5e97964dd78089ddc8"


def _segmenter(name: str, title: str, address: str, size: int, licence: str, sha256: str) -> NamedModel:
    return NamedModel(name, title, "", address, size, licence, kind="segmenter", save_as=f"{name}.onnx", sha256=sha256)


SEGMENTERS: tuple[NamedModel, ...] = (
    _segmenter("birefnet-lite", "BiRefNet lite", f"{_REMBG}/BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx", 224_005_088, "MIT",
               "5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333"),
    _segmenter("birefnet-general", "BiRefNet", f"{_REMBG}/BiRefNet-general-epoch_244.onnx", 972_666_916, "MIT",
               "58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c"),
    _segmenter("birefnet-portrait", "BiRefNet for portraits", f"{_REMBG}/BiRefNet-portrait-epoch_150.onnx", 972_666_916, "MIT",
               "1ba1c8ff5a7bbfadc8d8d13fb11d7be793f91f23d9d466549e37a854f6668f99"),
    _segmenter("birefnet-hr", "BiRefNet HR (2048 px)", f"{_BIREFNET}/BiRefNet_HR-general-epoch_130.onnx", 1_098_928_953, "MIT",
               "db0217e99b25e0c4f6f4dca2892ff1f7ea7aba38fb6ad84f93122a4024be536a"),
    _segmenter("birefnet-hr-matting", "BiRefNet HR matting (2048 px)", f"{_BIREFNET}/BiRefNet_HR-matting-epoch_135.onnx", 1_098_928_867,
               "MIT", "45b7d92ce0e2e75e1c8a564a9e84c87ac9da7f4315d2deeef3674864e809aef3"),
    _segmenter("isnet-anime", "IS-Net for anime",
               "https://huggingface.co/skytnt/anime-seg/resolve/493cb60893f47441b26ec4fb9a306bce9e342982/isnetis.onnx", 176_069_933, APACHE,
               "f15622d853e8260172812b657053460e20806f04b9e05147d49af7bed31a6e99"),
    _segmenter("isnet-general", "IS-Net", f"{_REMBG}/isnet-general-use.onnx", 178_648_008, APACHE,
               "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a"),
    _segmenter("u2net", "U2-Net", f"{_REMBG}/u2net.onnx", 175_997_641, APACHE,
               "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491"),
    _segmenter("u2netp", "U2-Net, small", f"{_REMBG}/u2netp.onnx", 4_574_861, APACHE,
               "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"),
    _segmenter("mobile-sam-encoder", "MobileSAM: sees the picture", f"{_MOBILE_SAM}/mobile_sam_image_encoder.onnx", 28_157_093, APACHE,
               "580f5fb648ea1062c0aabc26217aed56921985f03f0cbbd852bba81d760cc749"),
    _segmenter("mobile-sam-decoder", "MobileSAM: answers clicks", f"{_MOBILE_SAM}/sam_mask_decoder_multi.onnx", 16_496_559, APACHE,
               "8976b90a87ba50a6a72217a5ff994f7d25ce16f2229fcc1ed259e1294c622ffe"),
)
_LAMA = "https://github.com/Sanster/models/releases/download"
INPAINTERS: tuple[NamedModel, ...] = (
    NamedModel("big-lama", "LaMa, for photographs", "", f"{_LAMA}/add_big_lama/big-lama.pt", 205_669_692, APACHE, kind="inpainter",
               sha256="344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9"),
    NamedModel("anime-manga-big-lama", "LaMa, for drawings", "", f"{_LAMA}/AnimeMangaInpainting/anime-manga-big-lama.pt", 205_717_870,
               "not stated", kind="inpainter", sha256="479d3afdcb7ed2fd944ed4ebcc39ca45b33491f0f2e43eb1000bd623cfb41823"),
    NamedModel("sd-1.5-inpainting", "Stable Diffusion 1.5 for inpainting", "",
               "hf://webui/stable-diffusion-inpainting/sd-v1-5-inpainting.safetensors", 4_265_203_873, RAIL, kind="inpainter",
               sha256="0ec8f8585b104417a8c34a9fbcc1e922a70b8c15490ec4553087f01c8cf33673"),
    NamedModel("sdxl-inpainting-0.1", "SDXL 1.0 for inpainting (0.1)", "",
               "hf://wangqyqq/sd_xl_base_1.0_inpainting_0.1.safetensors/sd_xl_base_1.0_inpainting_0.1.safetensors", 6_940_000_000, RAIL_XL,
               kind="inpainter"),
)


def _detector(name: str, title: str, repo: str, commit: str, file: str, size: int, licence: str, sha256: str, save_as: str) -> NamedModel:
    return NamedModel(name, title, "", f"hf://{repo}@{commit}/{file}", size, licence, kind="detector", save_as=save_as, sha256=sha256)


DETECTORS: tuple[NamedModel, ...] = (
    _detector("yunet", "YuNet (faces in photographs)", "opencv/face_detection_yunet", "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310",
              "face_detection_yunet_2023mar.onnx", 232_589, "MIT", "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
              "face_detection_yunet_2023mar.onnx"),
    _detector("anime-face", "Anime faces 1.4 s (YOLOv8)", "deepghs/anime_face_detection", "784dc4c0bb692351ddcdbe6131a050b17d3025d5",
              "face_detect_v1.4_s/model.onnx", 44_583_229, "MIT (as its makers say)",
              "403b5bc93b6ff789b7d183418df4a1364049bac00c24acd927604a7ff6891483", "anime_face_detect_v1.4_s.onnx"),
    _detector("anime-head", "Anime heads 2.0 s (YOLOv8)", "deepghs/anime_head_detection", "06604feee81983792a57c21081e539c0ae229833",
              "head_detect_v2.0_s/model.onnx", 44_585_386, "MIT (as its makers say)",
              "6679f9b71192298bbf174d82e9e5581c3237b0c3dc67deace7cdbf686b070a00", "anime_head_detect_v2.0_s.onnx"),
    _detector("anime-person", "Anime people 1.3 s (YOLOv8)", "deepghs/anime_person_detection", "e39c744c22432ad01f91dd254fe2b02c8d878b8c",
              "person_detect_v1.3_s/model.onnx", 44_583_231, "MIT (as its makers say)",
              "6da88929438cd442e31e45ff4f934dd2d7eb9cf7a423c22885d650ee52550f90", "anime_person_detect_v1.3_s.onnx"),
    NamedModel("yolox-s", "YOLOX-S (people in photographs)", "",
               "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_s.onnx", 35_858_002, "Apache 2.0",
               kind="detector", sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063"),
)
IMAGE_CATALOG: Mapping[str, NamedModel] = {model.name: model for model in (*UPSCALERS, *RESTORERS, *SEGMENTERS, *INPAINTERS, *DETECTORS)}
