"""Models of the picture tools, by name: upscalers, face restorers, what finds a background or a face, what paints anew.

Each is one file, pinned by its SHA-256 and, on Hugging Face, by a commit; who drops a file of his own into the same folder of models/
finds it in the lists too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.models.catalog import APACHE, RAIL_XL, NamedModel

NOT_FOR_MONEY = "CC BY-NC-SA 4.0: not for commercial use"
_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_HF = "https://huggingface.co"


def _upscaler(name: str, title: str, address: str, size: int, licence: str, sha256: str, save_as: str = "") -> NamedModel:
    return NamedModel(name, title, "", address, size, licence, kind="upscaler", save_as=save_as, sha256=sha256)


UPSCALERS: tuple[NamedModel, ...] = (
    _upscaler("realesrgan-x4plus", "Real-ESRGAN 4x (photographs)", f"{_ESRGAN}/v0.1.0/RealESRGAN_x4plus.pth", 67_040_989, "BSD-3-Clause",
              "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1"),
    _upscaler("realesrgan-x4plus-anime", "Real-ESRGAN 4x anime (drawings, small)", f"{_ESRGAN}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
              17_938_799, "BSD-3-Clause", "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da"),
    _upscaler("realesrgan-x2plus", "Real-ESRGAN 2x (photographs)", f"{_ESRGAN}/v0.2.1/RealESRGAN_x2plus.pth", 67_061_725, "BSD-3-Clause",
              "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb"),
    _upscaler("4x-ultrasharp", "4x-UltraSharp (sharp, also from JPEG)",
              f"{_HF}/lokCX/4x-Ultrasharp/resolve/1856559b50de25116a7c07261177dd128f1f5664/4x-UltraSharp.pth", 66_961_958, NOT_FOR_MONEY,
              "a5812231fc936b42af08a5edba784195495d303d5b3248c24489ef0c4021fe01"),
    _upscaler("4x-animesharp", "4x-AnimeSharp (drawings and lettering)",
              f"{_HF}/Kim2091/AnimeSharp/resolve/7696d95ced82b0c1f2a41f6ac73336133f0a90e1/4x-AnimeSharp.pth", 67_010_245, NOT_FOR_MONEY,
              "e7a7de2dafd7331c1992862bbbcd9e9712a9f9f8e6303f0aaa59b4341d359bab"),
    _upscaler("swinir-m-x4", "SwinIR-M 4x (photographs, slow)",
              "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth", 67_129_861,
              "Apache 2.0", "b9afb61e65e04eb7f8aba5095d070bbe9af28df76acd0c9405aeb33b814bcfc6"),
    _upscaler("nomos2-dat2-x4", "4xNomos2 DAT2 (clean photographs, slow)",
              "https://github.com/Phhofm/models/releases/download/4xNomos2_hq_dat2/4xNomos2_hq_dat2.pth", 140_196_334, "CC BY 4.0",
              "1f2be2b4786b5031776aed90e1818564f5576ab1e44da9355c7f3788ea25bdea"),
)
RESTORERS: tuple[NamedModel, ...] = (
    NamedModel("gfpgan-1.4", "GFPGAN 1.4", "", "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth", 348_632_874,
               "Apache 2.0", kind="face restorer", sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad"),
    NamedModel("codeformer", "CodeFormer", "", "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth", 376_637_898,
               "S-Lab License 1.0: not for commercial use", kind="face restorer",
               sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7"),
)
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
    NamedModel("sdxl-inpainting-0.1", "SDXL 1.0 for inpainting (0.1)", "",
               "hf://benjamin-paine/sd-xl-alternative-bases@2c65165f0d5c3d93f671ef7613f3a94f4b3ec30a/"
               "sd_xl_base_1.0_inpainting_0.1.safetensors", 6_938_069_944, RAIL_XL, kind="inpainter",
               sha256="fe1b97fe6544814eb6fc8ce53f04ad8d339ec6946b58b0afd566fcc47813fa8a"),
)


def _detector(name: str, title: str, repo: str, commit: str, file: str, size: int, licence: str, sha256: str, save_as: str) -> NamedModel:
    return NamedModel(name, title, "", f"hf://{repo}@{commit}/{file}", size, licence, kind="detector", save_as=save_as, sha256=sha256)


DETECTOR_FILES: tuple[NamedModel, ...] = (
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
IMAGE_CATALOG: Mapping[str, NamedModel] = {
    model.name: model for model in (*UPSCALERS, *RESTORERS, *SEGMENTERS, *INPAINTERS, *DETECTOR_FILES)}
