/** What lies over the frame: the box and the line at once, as the sliders move; the mask when the service has drawn it. */
import { useEffect, useRef } from 'preact/hooks';
import type { Box } from '../../src/core/box.ts';
import { cropBox } from '../../src/face/crop-box.ts';
import type { PreviewView, Settings } from '../api.ts';

/** Which marks are shown. */
export interface Marks {
  readonly box: boolean;
  readonly points: boolean;
  readonly mask: boolean;
}

/** The marks over a frame. */
export function Overlay({ view, settings, marks }: { view: PreviewView; settings: Settings; marks: Marks }) {
  const { width, height, landmarks } = view.layers;
  const box = boxNow(view, settings);
  const middle = Math.floor((box.y1 + box.y2) / 2);
  const dot = Math.max(1, (box.x2 - box.x1) / 75);
  return (
    <>
      {marks.mask && <Veil view={view} />}
      <svg class="marks" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
        {marks.box && (
          <g class="crop">
            <rect
              {...{ x: box.x1, y: box.y1, width: box.x2 - box.x1, height: box.y2 - box.y1, rx: dot * 2 }}
            />
            <path d={`M${box.x1} ${middle}H${box.x2}`} />
          </g>
        )}
        {marks.points &&
          landmarks.map(({ x, y }, i) => <circle key={i} class="point" cx={x} cy={y} r={dot} />)}
      </svg>
    </>
  );
}

/** The box that the settings give, by the formula of the service itself; mini's follows no setting. */
function boxNow({ box, drawnBy, layers }: PreviewView, { bboxShift, extraMargin }: Settings): Box {
  if (drawnBy === 'mini') return box;
  const { landmarks, face, width, height } = layers;
  const version = drawnBy;
  const margin = version === '1.5' ? Number(extraMargin ?? 10) : 0;
  const options = { version, bboxShift: Number(bboxShift ?? 0), extraMargin: margin, width, height } as const;
  return cropBox(landmarks, face, options) ?? box;
}

/** Pixels of the veil's longer side: soft edges need no more. */
const VEIL = 900;

/** Takes the colour from all that stays as it is. */
function Veil({ view }: { view: PreviewView }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, maskAt, maskPicture } = view.layers;
  useEffect(() => {
    const picture = new Image();
    picture.onload = () => {
      const context = canvas.current?.getContext('2d');
      if (!context) return;
      const scale = Math.min(1, VEIL / Math.max(width, height));
      canvas.current!.width = Math.round(width * scale);
      canvas.current!.height = Math.round(height * scale);
      context.scale(scale, scale);
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = 'destination-out';
      context.drawImage(picture, maskAt.x1, maskAt.y1, maskAt.x2 - maskAt.x1, maskAt.y2 - maskAt.y1);
      canvas.current!.dataset.drawn = 'yes';
    };
    picture.src = maskPicture;
  }, [maskPicture]);
  return <canvas class="veil" ref={canvas} />;
}
