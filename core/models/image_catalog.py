"""Models of the picture tools, by name: upscalers, face restorers, what finds a background or a face, what paints anew.

Each is one file, pinned by its SHA-256; who drops a file of his own into the same folder of models/ finds it in the lists too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.models.catalog import NamedModel

UPSCALERS: tuple[NamedModel, ...] = ()
RESTORERS: tuple[NamedModel, ...] = ()
SEGMENTERS: tuple[NamedModel, ...] = ()
INPAINTERS: tuple[NamedModel, ...] = ()


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
